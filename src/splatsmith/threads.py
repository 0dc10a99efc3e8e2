"""Two pools of threads that take turns on the same cores.

Torch's threads are GNU OpenMP's: having done their part they watch for the next one for a few
milliseconds, and whoever wants their core waits. That is the thread of our kernels, which are
called in between: the prior of a run answered a fifth later than on its own. So OpenMP's
threads are told to rest after some microseconds. Its "passive" way, to rest at once, costs
torch more than the kernels gain.
"""

import os
import sys

SPINS = "10000"  # of GNU OpenMP; its own number is 300,000
SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def rest_soon() -> bool:
    """Tell this process and what it starts; False if torch already runs or a user decided.

    It counts only before torch is imported, as OpenMP reads the environment once.
    """
    if "torch" in sys.modules or any(name in os.environ for name in SETTINGS):
        return False
    os.environ["GOMP_SPINCOUNT"] = SPINS
    return True
