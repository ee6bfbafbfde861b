"""What the papers claim, and what decides it: claims.yaml, the measures it names, and its rules.

A claim is read and judged in `verdicts`, on what a measure (`measures`) finds in the runs that it speaks of
(`selection`), by a rule (`rules`); `record` writes a study's verdicts down, `ledger` gathers those of all kept studies.
No HTML.

May import: jobs, processes, models, study, outlook, unets, analysis.
"""
