"""Signals from outside (foreign notices, recalls elsewhere): matched to the product tree and to goods here, and weighed."""
