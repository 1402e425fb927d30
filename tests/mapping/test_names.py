"""Names of PostgreSQL as names of Convex."""

import pytest

from supavex.mapping.names import camel_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ari_payments", "ariPayments"),
        ("notes", "notes"),
        ("ariPayments", "ariPayments"),
        ("FriendRequest", "friendRequest"),
        ("API_ACCESS", "apiAccess"),
        ("URL", "url"),
        ("userID", "userID"),
        ("a_b_c", "aBC"),
        ("Order_lines", "orderLines"),
        ("_prisma_migrations", "prismaMigrations"),
        ("trailing_", "trailing"),
        ("two__underscores", "twoUnderscores"),
        ("level_2_support", "level2Support"),
        ("_private", "private"),
        ("_", "_"),
        ("__", "__"),
        ("größe_x", "größeX"),
    ],
)
def test_camel_case(name: str, expected: str) -> None:
    assert camel_case(name) == expected
