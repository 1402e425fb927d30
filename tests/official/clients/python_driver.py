"""Convex's Python client behind a pipe, as node.mjs is. Started by processes.py.

In a process of its own, for the client keeps Python's lock while it waits for a mutation or for a query.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from convex import ConvexClient, ConvexError, QuerySubscription, convex_to_json, json_to_convex


def tell(id_: int, **event: Any) -> None:
    print(json.dumps({"id": id_, **event}), flush=True)


def tell_failure(id_: int, error: Exception) -> None:
    data = {"data": convex_to_json(error.data)} if isinstance(error, ConvexError) else {}
    tell(id_, kind="error", message=str(error), **data)


def call(id_: int, function: Callable[[], Any]) -> None:
    try:
        tell(id_, kind="value", value=convex_to_json(function()))
    except Exception as error:  # the client raises nothing more exact
        tell_failure(id_, error)


async def iterate(id_: int, watch: QuerySubscription) -> None:
    while True:
        try:
            tell(id_, kind="value", value=convex_to_json(await watch.__anext__()))
        except StopAsyncIteration:
            return
        except Exception as error:
            tell_failure(id_, error)
            if "dropped" in str(error):
                return


async def both(id_: int, client: ConvexClient, watches: list[QuerySubscription]) -> None:
    ids = [watch.id for watch in watches]
    async for found in client.watch_all():
        values = [found.get(each) for each in ids]
        if None not in values:
            tell(id_, kind="value", value=[convex_to_json(value) for value in values])


async def main() -> None:
    client = ConvexClient(sys.argv[1])
    watches: dict[int, QuerySubscription] = {}
    tasks: dict[int, asyncio.Task[None]] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        # Numbers are floats to Convex.
        message = json.loads(line, parse_int=float)
        op, id_ = message["op"], int(message["id"])
        path, args = message.get("path"), json_to_convex(message.get("args", {}))
        if op == "watch":
            watches[id_] = client.subscribe(path, args)
            tasks[id_] = asyncio.create_task(iterate(id_, watches[id_]))
        elif op == "pair":
            pair = [client.subscribe(path, args), client.subscribe(path, json_to_convex(message["others"]))]
            tasks[id_] = asyncio.create_task(both(id_, client, pair))
        elif op == "unwatch":
            tasks.pop(int(message["watch"])).cancel()
            await asyncio.sleep(0)
            watches.pop(int(message["watch"])).unsubscribe()
        elif op == "auth":
            client.set_auth(message["token"])
        elif op == "unauth":
            client.clear_auth()
        else:
            function = getattr(client, op)
            call(id_, lambda function=function, path=path, args=args: function(path, args))
    for task in tasks.values():
        task.cancel()


asyncio.run(main())
