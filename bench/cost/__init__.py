"""`make cost`: the instructions that a call costs, of two trees beside each other in one run.

Instructions do not mind a busy or a shared machine, as seconds do: they repeat to some thousandths.
"""
