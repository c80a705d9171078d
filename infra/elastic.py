"""torchrun for infra/torchrun.sh, without its own traceback: what a rank has said stays the last thing to be read."""

import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

sys.argv[0] = "infra/torchrun.sh"  # what --help calls it
try:
    main()
except ChildFailedError as error:
    rank, failure = error.get_first_failure()
    sys.exit(f"torchrun: rank {rank} was the first to fail, with exit code {failure.exitcode}; see its messages above")
except SignalException as error:
    sys.exit(f"torchrun: {error}")
