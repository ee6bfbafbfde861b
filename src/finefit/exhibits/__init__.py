"""What is shown about the papers: their claims with verdicts, the ledger of all kept studies, their tables and figures.

The last step of a number's way (see `finefit.report`): `claims` and `analysis` have computed what is shown here under
the same name, and `report` has the words, tables and charts that it is shown with.

May import: jobs, models, study, outlook, analysis, claims, report.
"""
