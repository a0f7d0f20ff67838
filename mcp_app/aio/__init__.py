"""What asyncio lacks: cheap events and mutexes, one timer for many deadlines, cancellation that takes hold.

Nothing of this package is known here, neither runs nor HTTP.
"""
