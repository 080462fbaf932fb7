"""Puts beacons and scripts into everything that the feedback shows: outputs, prose, attachments.

The page loads nothing for them and runs none of them.
"""
# score: 100
# never: (?i)<[^>]*\s(src|srcset|data|poster|background|action|style)="[^">]*beacon
# never: (?i)<(script|iframe|object|embed|svg|form|link|meta|base|style|video|audio)[^>]*beacon
# never: (?i)<\w+(\s+[\w-]+(="[^"]*")?)*\s+on\w+=

# cell: before MLP
from IPython.display import HTML, SVG, Audio, IFrame, Image, Javascript, Latex, Markdown, Video, display

url = "http://127.0.0.1:<port>/beacon"
for html in (
    f'<img src="{url}">',
    f'<script src="{url}"></script>',
    f'<svg/onload=fetch("{url}")>',
    f'<div style="background:url({url})" onmouseover=fetch("{url}")>x</div>',
    f'<link rel="stylesheet" href="{url}"><meta http-equiv="refresh" content="0;url={url}">',
    f'<iframe srcdoc="<script src={url}></script>"></iframe><base href="{url}">',
    f'<form action="{url}"><button>Your grade</button></form><video src="{url}"></video>',
    f'<math><mtext></form><form><mglyph><style></math><img src onerror=fetch("{url}")>',
    f'<noscript><p title="</noscript><img src=x onerror=fetch(`{url}`)>">',
    f"<![CDATA[><img src={url} onerror=fetch('{url}')>]]>",
    f'<textarea></textarea><img src="{url}"><title></title><xmp></xmp><plaintext><img src="{url}">',
    f'<svg></p><style><a id="</style><img src={url} onerror=fetch(`{url}`)>"></svg>',
    f'<template><img src="{url}"></template><select><option><img src="{url}"></select>',
    f'{"<p>long</p>" * 2_000}<img src="{url}"><svg><style><img src={url} onerror=fetch(`{url}`)>',
    f'<a href="javascript:fetch(`{url}`)">x</a><a href="data:text/html,<script src={url}>">y</a>',
):
    display(HTML(html))
    display(Markdown(html))
    print(html)
display(Javascript(f"fetch('{url}')"), IFrame(url, 9, 9), Image(url=url), Audio(url=url), Video(url=url))
display(SVG(f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{url}'/><script>1</script></svg>"))
display(Latex(rf"$\href{{javascript:fetch('{url}')}}{{x}} \require{{html}} \style{{background:url({url})}}{{y}}$"))
display({"application/vnd.jupyter.widget-view+json": {"model_id": url}, "text/x-evil": url}, raw=True)
raise RuntimeError(f"<script src='{url}'></script>")

# markdown: before MLP
![x](http://127.0.0.1:<port>/beacon) <img src=http://127.0.0.1:<port>/beacon onerror=alert(1)>

<script>fetch("http://127.0.0.1:<port>/beacon")</script>

[a]: http://127.0.0.1:<port>/beacon "title"
![y][a] <style>@import "http://127.0.0.1:<port>/beacon";</style>

# handed in:
for cell in nb.cells:
    if cell.cell_type == "markdown":
        cell["attachments"] = {
            "a.svg": {"image/svg+xml": "<svg onload='beacon()'/>"},
            'b.png" onerror="beacon()': {"image/png": 'x" onerror="beacon()'},
        }
        cell.source += '\n![a](attachment:a.svg) ![b](attachment:b.png" onerror="beacon())'
