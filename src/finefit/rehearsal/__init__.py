"""A study rehearsed at its true shapes: every kind of its jobs, on few drawn pictures and for two steps, each measured.

`studies` derives what is run: ordinary studies of the same form, whose data sets are trials. `folder` sets up a project
of its own for them, with stand-in archives in the true layouts and random weights where the real ones are not here.
`run` makes their jobs one by one, by the commands that any job is made by, each in a process of its own; `told` turns
what these say of themselves into a table, and into the rates that `finefit plan` then goes by.

May import: jobs, data, judges, procedural, datasets, hierarchy, codecs, models, metrics, study, outlook.
"""
