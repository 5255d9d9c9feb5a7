"""Delivery: which message goes to whom, when, and by which channel; mail, webhooks, robots of WeCom, DingTalk and Feishu, files."""
