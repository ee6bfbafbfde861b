"""A run as one sees it while it runs: one screen on a terminal, a line a job elsewhere.

The way of an event: Snakemake's record (`snakemake_logger_plugin_finefit`), `display` (what is said for good), `state`
(what is known of the study), `view` (that as one screen).

May import: jobs, study, outlook.
"""
