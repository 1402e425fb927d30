// HTTP actions: converts the host's request for the app's router, and sends the response, piece by piece.
(own) => {
  "use strict";
  const { parse, stringify } = JSON;
  const { AbortController, Request, Response, ReadableStream, Uint8Array } = globalThis;
  const { defineProperty } = Object;
  const PIECE = 1 << 20; // bytes in one message
  const TEXT = [["content-type", "text/plain; charset=utf-8"]];

  const bodyOf = (ask) =>
    new ReadableStream({
      type: "bytes",
      async pull(controller) {
        const { data } = parse(await ask("http/body", "{}"));
        if (data !== null) controller.enqueue(own.unbase64(data));
        else {
          controller.close();
          controller.byobRequest?.respond(0);
        }
      },
    });
  own.requestOf = (ask, { url, method, headerPairs, streamId }) => {
    const body = streamId === null ? {} : { body: bodyOf(ask), duplex: "half" };
    const request = new Request(url, { method, headers: headerPairs, ...body });
    // Requested at the first read, because an action that waits for its client's abort is not idle.
    let controller = null;
    const get = () => {
      if (controller === null) {
        controller = new AbortController();
        ask("http/gone", "{}").then(() => controller.abort(), () => {});
      }
      return controller.signal;
    };
    return defineProperty(request, "signal", { get, configurable: true });
  };
  own.checkedResponse = (response) => {
    if (!(response instanceof Response)) throw new Error("HTTP actions must return a Response");
    return response;
  };

  // The router that http.js exports answers the request. `answered` returns the response.
  own.route = async (router, request, ask, answered) => {
    if (router.lookup(request.path, request.method) === null) {
      await ask("http/head", stringify({ status: 404, headers: TEXT }));
      await ask("http/chunk", stringify({ data: own.base64(own.bytes("No matching routes found")) }));
      return;
    }
    await router.runRequest(stringify(request), request.path);
    const response = answered();
    await ask("http/head", stringify({ status: response.status, headers: [...response.headers] }));
    if (response.body === null) return;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (!(value instanceof Uint8Array)) throw new TypeError("A response's stream is one of Uint8Array.");
      for (let at = 0; at < value.length; at += PIECE) {
        await ask("http/chunk", stringify({ data: own.base64(value.subarray(at, at + PIECE)) }));
      }
    }
  };
}
