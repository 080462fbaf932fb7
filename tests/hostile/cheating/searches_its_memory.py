"""Reads all memory of its own process for secrets of the grader's, which forked the template.

What a template process has never read is in no kernel's memory.
"""
# score: 100
# says: searched \d\d+ MB, found \[\]

# cell: before MLP
import re

secret = re.compile(rb"sesame[0-9a-f]{32}")
searched, found = 0, []
with open("/proc/self/mem", "rb", 0) as memory:
    for line in open("/proc/self/maps").read().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if " rw-p " not in line or end - start > 2**28:
            continue
        try:
            memory.seek(start)
            content = memory.read(end - start)
        except OSError:
            continue
        searched += len(content)
        at = content.find(b"sesame")
        while at >= 0:
            found += secret.findall(content[at : at + 38])
            at = content.find(b"sesame", at + 1)
print(f"searched {searched // 2**20} MB, found {found}")
