"""Names of PostgreSQL as names of Convex."""

import pytest

from supavex.mapping.names import camel_case, named_after, singular, words


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ari_payments", "ari payments"), ("ariPayments", "ari payments"), ("API_ACCESS", "api access"),
        ("userID", "user id"), ("HTTPServer", "http server"),
        ("level2Support", "level 2 support"), ("größe_x", "gr öß e x"),
        ("order-lines", "order lines"), ("_", ""), ("", ""),
    ],
)  # fmt: skip
def test_words(name: str, expected: str) -> None:
    assert words(name) == tuple(expected.split())


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("users", "user"), ("categories", "category"), ("addresses", "address"), ("statuses", "status"),
        ("status", "status"), ("boxes", "box"), ("branches", "branch"), ("people", "person"), ("children", "child"),
        ("class", "class"), ("classes", "class"), ("analysis", "analysis"), ("houses", "house"), ("movies", "movie"),
        ("series", "series"), ("ties", "tie"), ("news", "news"),
        ("sizes", "size"), ("causes", "cause"), ("user", "user"), ("is", "is"), ("expenses", "expense"),
    ],
)  # fmt: skip
def test_singular(word: str, expected: str) -> None:
    assert singular(word) == expected


TABLES = (
    "users", "profiles", "hosts", "addresses", "categories", "ari_conversations", "order_lines", "orders", "posts",
)  # fmt: skip


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("host_id", "hosts"), ("host", "hosts"), ("hostId", "hosts"), ("host_ids", "hosts"), ("hosts", "hosts"),
        ("category_uuid", "categories"), ("billing_address_id", "addresses"), ("conversation_id", "ari_conversations"),
        ("order_id", "orders"), ("order_line_id", "order_lines"), ("user_id", "users"), ("author", "users"),
        ("created_by", "users"), ("profile_id", "profiles"), ("parent_id", "posts"), ("parent", "posts"),
        ("parent_order_id", "orders"), ("reply_to", "posts"), ("id", ""), ("external_ref", ""), ("session_token", ""),
        ("uuid", ""),
    ],
)  # fmt: skip
def test_what_a_column_is_named_after(column: str, expected: str) -> None:
    assert named_after(column, "posts", {name: name for name in TABLES}) == expected.split()


def test_people_are_looked_for_in_the_tables_that_there_are() -> None:
    assert named_after("author_id", "posts", {"posts": "posts", "profiles": "profiles"}) == ["profiles"]
    assert named_after("author_id", "posts", {"posts": "posts", "app_users": "app_users"}) == []
    assert named_after("author_id", "posts", {"authors": "authors", "users": "users"}) == ["authors"]
    assert named_after("user_id", "posts", {"app_users": "app_users"}) == ["app_users"]
    assert sorted(named_after("user_id", "x", {"a.users": "users", "b.users": "users"})) == ["a.users", "b.users"]
