"""Changes what probes share: grad mode, default type, threads, number format, warnings, locale.

What a probe needs is set for it, and what it changes is put back.
"""
# score: 100
# says: spoiled

# cell: before MyLinear
import locale
import random
import warnings

warnings.simplefilter("error")
random.seed(0)
torch.manual_seed(0)
torch.set_printoptions(precision=0)
torch.autograd.set_detect_anomaly(True)
torch.set_num_threads(1)


def spoil():
    torch.set_grad_enabled(False)


get_ipython().events.register("pre_run_cell", spoil)
print("spoiled")

# cell: before parameter_names
get_ipython().events.unregister("pre_run_cell", spoil)
torch.set_grad_enabled(True)
