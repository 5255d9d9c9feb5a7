"""What accident reports, complaints, recalls, registers and trade notices say on a day, for a reader beside the warnings."""
