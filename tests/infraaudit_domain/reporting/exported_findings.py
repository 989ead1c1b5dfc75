"""Findings of any shape, for the forms in which they leave."""

from hypothesis import strategies as st

from infraaudit_domain.scans.findings import Finding, FindingStatus, Severity

text = st.text(max_size=8)
letters = st.characters(codec="utf-8", exclude_characters="/\0") | st.just("\udcff")  # a byte that is no UTF-8
names = st.lists(st.text(letters, min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)
findings = st.lists(
    st.builds(
        Finding, st.sampled_from(["terraform", "secrets"]), st.sampled_from(["CKV_1", "CKV_2"]), text,
        names, text, st.integers(-1, 9), st.integers(-1, 9), st.integers(0, 2),
        st.sampled_from(FindingStatus), text, guideline=st.sampled_from(["", "https://x/y", "javascript:x"]),
        severity=st.sampled_from(list(Severity)),
    ),
    max_size=5, unique_by=lambda finding: finding.fingerprint,
)  # fmt: skip
OPEN = Finding("terraform", "CKV_2", "two", "a b/ü.tf", "r", 0, 0, severity=Severity.UNKNOWN, guideline="https://x")
HIDDEN = Finding(
    "terraform", "CKV_1", "one", "a.tf", "r", 3, 5, status=FindingStatus.SUPPRESSED, suppression_reason="known"
)
