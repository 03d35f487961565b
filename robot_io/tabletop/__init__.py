"""A rendered tabletop world: the ground truth that recordings cannot have.

`episodes` renders demonstrations (needs the extra `sim`), `samples` finds the ones that come with the package.
"""
