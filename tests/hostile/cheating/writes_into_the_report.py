"""Raises exceptions whose message is HTML, a template, markdown or control characters.

The report quotes them as text.
"""
# score: 80
# loses: parameter_names count_parameters
# says: img src=x
# never: <img src=x
# never: (?i)<script>stolen
# never: 49494949

# cell: parameter_names
def parameter_names(module):
    raise ValueError(
        "</td></table><img src=x onerror=stolen()><scr" "ipt>stolen()</scr" "ipt>{{ 4949 * 10001 }}"
    )


# cell: count_parameters
def count_parameters(module):
    raise ValueError("`</code><img src=x>` \x1b[2J \x00 \u202e \u2028 **30/30** [a](javascript:b)")
