"""Ignores every interrupt, by the signal and by catching what it raises, for ever.

It is replaced when its time is over.
"""
# score: 100
# says: TimeLimit

# cell: before MLP
import signal
import time

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        time.sleep(1000)
    except BaseException:
        pass
