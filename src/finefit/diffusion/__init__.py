"""Between a network and a sampler: guidance, and forecasts in the place of evaluations.

May import: models, processes.
"""
