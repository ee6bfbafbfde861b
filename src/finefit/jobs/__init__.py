"""What any job stands on: its identity, publishing, locks, stopping, progress, ranks and devices.

May import: none.
"""
