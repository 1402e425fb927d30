// What standards say of these is what Node's own globals give.
const thrown = (job: () => unknown) => {
  try {
    return job();
  } catch (error: any) {
    return [error.name, error.code ?? null];
  }
};
const text = (value: unknown) => JSON.stringify(value);
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16)).join(" ");
const form = (entries: [string, string | Blob, string?][]) => {
  const made = new FormData();
  for (const [name, value, file] of entries) file === undefined ? made.append(name, value as any) : made.append(name, value as any, file);
  return made;
};
const told = async (given: FormData) => {
  const found = [];
  for (const [name, value] of given as any) {
    found.push(typeof value === "string" ? [name, value] : [name, value.name, value.type, await value.text()]);
  }
  return found;
};

export const WEB: Record<string, () => unknown> = {
  encodeInto: () =>
    ["é€", "a😀b", "€€", "ab\ud800c", ""].map((given) =>
      [0, 1, 2, 3, 4, 5, 8].map((size) => {
        const target = new Uint8Array(size);
        return [new TextEncoder().encodeInto(given, target), hex(target)];
      }),
    ),
  streamed: () => {
    const bytes = new TextEncoder().encode("\ufeffa€😀é\ufeff");
    return [1, 2, 3, 5].map((size) => {
      const decoder = new TextDecoder();
      let out = "";
      for (let at = 0; at < bytes.length; at += size) out += decoder.decode(bytes.subarray(at, at + size), { stream: true });
      return [out + decoder.decode(), decoder.decode(bytes)];
    });
  },
  streamCut: () => {
    const decoder = new TextDecoder();
    return [decoder.decode(new Uint8Array([0x61, 0xe2, 0x82]), { stream: true }), decoder.decode(), decoder.decode(new Uint8Array([0x62]))];
  },
  streamFatal: () => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    return [decoder.decode(new Uint8Array([0xe2, 0x82]), { stream: true }), (thrown(() => decoder.decode()) as any)[0], decoder.decode(new Uint8Array([0x62]))];
  },
  invalid: () => [[0x80], [0xe2, 0x28], [0xf0, 0x9f, 0x98], [0xc0, 0x80], [0xed, 0xa0, 0x80]].map((bytes) => new TextDecoder().decode(new Uint8Array(bytes))),
  latin: () => {
    // Node takes 0x80 to 0x9f for themselves.
    const every = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x80 && byte < 0xa0 ? 0 : byte));
    return ["latin1", "ascii", "ISO-8859-1", " windows-1252 "].map((label) => {
      const decoder = new TextDecoder(label);
      return [decoder.encoding, decoder.decode(every)];
    });
  },
  utf16: () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0x61, 0, 0x3d, 0xd8, 0, 0xde, 0x62, 0]);
    const decoder = new TextDecoder("utf-16le");
    let out = "";
    for (let at = 0; at < bytes.length; at += 3) out += decoder.decode(bytes.subarray(at, at + 3), { stream: true });
    const odd = [[0x61], [0x61, 0, 0x62], [0x3d, 0xd8], [0, 0xde, 0x61, 0]].map((units) => new TextDecoder("utf-16").decode(new Uint8Array(units)));
    return [out + decoder.decode(), decoder.encoding, odd, new TextDecoder("utf-16be").decode(new Uint8Array([0xd8, 0x3d, 0xde, 0])), new TextDecoder("utf-16le", { ignoreBOM: true }).decode(bytes).length];
  },
  unknownEncoding: () => thrown(() => new TextDecoder("nonsense"))[0 as any],
  atob: () => ["a", "ab", "abc", "abcd", "ab=", "ab==", "abc=", "abc==", "a===", "=", "", " a b c d ", "ab=c", "ab-_", "YQ==\n", "YR=="].map((given) => thrown(() => atob(given))),
  clones: () => {
    const buffer = new ArrayBuffer(8);
    const shared: any = structuredClone({ a: new Uint8Array(buffer, 2, 3), b: new Uint16Array(buffer), c: new DataView(buffer, 1) });
    const polluted: any = structuredClone(JSON.parse('{"__proto__":{"admin":true}}'));
    const error: any = structuredClone(new RangeError("r", { cause: new Error("c", { cause: [1] }) }));
    class Own extends Error {
      name = "Map";
    }
    const own: any = structuredClone(new Own("o"));
    return [
      [shared.a.buffer === shared.b.buffer, shared.a.byteOffset, shared.a.length, shared.b.length, shared.c.byteLength],
      [polluted.admin ?? null, Object.keys(polluted), Object.getPrototypeOf(polluted) === Object.prototype],
      [error instanceof RangeError, error.message, error.cause.message, error.cause.cause, Object.keys(error), "cause" in structuredClone(new Error("x"))],
      [own instanceof Error, own.name, own.message],
      [typeof structuredClone(Object(5)), structuredClone(Object("s")) instanceof String, text(structuredClone([1, , 3]))],
      [Promise.resolve(1), new WeakMap(), () => 1, Symbol("s")].map((value) => thrown(() => structuredClone(value))),
    ];
  },
  listeners: () => {
    const target = new EventTarget();
    const calls: unknown[] = [];
    const listener = (event: Event) => calls.push([event.type, event.target === target]);
    const object = { handleEvent: () => calls.push("object") };
    for (const more of [undefined, {}, { once: true }, false]) target.addEventListener("x", listener, more as any);
    target.addEventListener("x", object);
    target.addEventListener("x", listener, true);
    target.addEventListener("x", null);
    target.dispatchEvent(new Event("x"));
    target.removeEventListener("x", listener);
    target.dispatchEvent(new Event("x"));
    target.removeEventListener("x", listener, { capture: true });
    const first = () => {
      calls.push("first");
      target.removeEventListener("y", second);
    };
    const second = () => calls.push("second");
    target.addEventListener("y", first, { once: true });
    target.addEventListener("y", second);
    const event = new Event("y");
    target.dispatchEvent(event);
    target.dispatchEvent(new Event("y"));
    return [calls.length, calls, event.currentTarget];
  },
  exceptions: () => {
    const names = ["AbortError", "DataCloneError", "InvalidCharacterError", "QuotaExceededError", "TimeoutError", "NotSupportedError", "Error", "OwnError"];
    const error = new DOMException("m", "AbortError");
    const constants = Object.keys(DOMException).filter((key) => /_ERR$/.test(key)).sort().map((key) => [key, (DOMException as any)[key]]);
    return [names.map((name) => new DOMException("m", name).code), error.name, error.message, error instanceof Error, constants, error.ABORT_ERR];
  },
  addresses: () => {
    const url = new URL("https://a.b/?x=1");
    const params = url.searchParams;
    url.search = "?y=2 3";
    const first = [params.get("x"), params.get("y"), params === url.searchParams, url.href];
    params.append("z", "ü");
    const second = url.href;
    url.href = "https://c.d/e?f=g";
    return [first, second, [...params], url.href, ((url.search = ""), [...params])];
  },
  hosts: () =>
    ["münchen.de", "bücher.example", "例え.テスト", "ExAmPlE.com", "пример.рф", "faß.de", "日本語。jp", "☃.net", "a.é.b", "MÜNCHEN.de", "ｗｗｗ.de", "mañana.com:8080"].map(
      (host) => new URL(`https://${host}/ä`).href,
    ),
  hostSet: () => {
    const url = new URL("https://a.b/");
    url.hostname = "ü.de";
    const host = url.host;
    url.host = "é.fr:81";
    return [host, url.href];
  },
  requests: async () => {
    const one = new Request("https://a.b/c", { method: "PUT", body: "hi", headers: { x: "y" } });
    const clone = one.clone();
    const two = new Request(one, { headers: { z: "1" } });
    const used = [one.bodyUsed, clone.bodyUsed, two.bodyUsed];
    const other = new Request(clone.clone(), { method: "POST", body: "other" });
    let again = "";
    try {
      new Request(one);
    } catch (error: any) {
      again = error.name;
    }
    return [used, two.method, two.url, two.headers.get("z"), two.headers.get("x"), await two.text(), await clone.text(), clone.headers.get("x"), await other.text(), again];
  },
  requestWithoutBody: async () => {
    const one = new Request("https://a.b/");
    return [await one.text(), await one.text(), one.bodyUsed, await new Request(one).text(), ["GET", "HEAD"].map((method) => (thrown(() => new Request("https://a.b", { method, body: "x" })) as any)[0])];
  },
  responses: async () => {
    const one = new Response("hi", { status: 201, statusText: "Made", headers: { a: "b" } });
    const clone = one.clone();
    const read = [await one.text(), await clone.text(), clone.status, clone.statusText, clone.headers.get("a"), clone.headers.get("content-type")];
    let late = "";
    try {
      one.clone();
    } catch (error: any) {
      late = error.name;
    }
    return [read, late];
  },
  cookies: () => {
    const headers = new Headers({ "x-a": "1" });
    headers.append("set-cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    headers.append("X-A", "2");
    const response = new Response("", { headers });
    return [headers.getSetCookie(), headers.get("set-cookie"), headers.get("x-a"), response.clone().headers.getSetCookie(), [...headers.keys()].length > 0, (headers.set("set-cookie", "c"), headers.getSetCookie()), (headers.delete("Set-Cookie"), headers.has("set-cookie"))];
  },
  forms: async () => {
    const one = form([["a", "1"], ["b", "x"], ["a", "2"]]);
    const seen: unknown[] = [];
    one.forEach((value, key) => seen.push([key, value]));
    const rest = [[...(one as any).keys()], [...(one as any).values()], seen, one.getAll("a")];
    one.set("a", "3");
    const set = await told(one);
    one.append("f", new Blob(["x"], { type: "t/p" }));
    one.append("g", new Blob(["y"]), "named");
    one.append("h", new File(["z"], "own.txt", { type: "text/plain" }));
    return [rest, set, await told(one)];
  },
  formBodies: async () => {
    const given = form([["a", "1\n2\r3"], ["quote\"d\n", "ü€"], ["", ""], ["f", new Blob(["x\r\n--y"], { type: "t/p" }), "n\"a.txt"], ["e", new Blob([])]]);
    const response = new Response(given);
    const type = /^multipart\/form-data; boundary=/.test(response.headers.get("content-type") ?? "");
    return [type, await told(await response.formData()), await told(await new Request("https://a.b", { method: "POST", body: given }).formData())];
  },
  urlencodedBody: async () => told(await new Response(new URLSearchParams("a=1&b=x+y&b=%C3%A9")).formData()),
  asyncContexts: () => {
    const { AsyncLocalStorage, AsyncResource } = globalThis as any;
    const [one, two] = [new AsyncLocalStorage(), new AsyncLocalStorage()];
    const stores = () => [one.getStore() ?? null, two.getStore() ?? null];
    const nested = one.run(1, (more: number) => [more, stores(), two.run(2, stores), one.run(3, stores), one.exit(stores), stores()], 5);
    const [bound, snapshot, resource] = one.run("a", () => [AsyncLocalStorage.bind((x: number) => [x, ...stores()]), AsyncLocalStorage.snapshot(), new AsyncResource("r")]);
    const later = two.run("b", () => [bound(7), snapshot(stores), resource.runInAsyncScope(stores), resource.bind(stores)(), stores()]);
    const self = resource.runInAsyncScope(function (this: any, x: number) { return [this.n, x]; }, { n: 4 }, 5);
    let fell: unknown = null;
    try {
      one.run(1, () => { throw new Error("x"); });
    } catch (error: any) {
      fell = [error.message, stores()];
    }
    const disabled = one.run(1, () => (one.disable(), stores()));
    const entered = one.run(1, () => (one.enterWith(2), stores()));
    return [nested, later, self, fell, disabled, entered, stores(), thrown(() => AsyncLocalStorage.bind(5)) !== null];
  },
  noForm: async () => {
    const found = [];
    for (const [body, type] of [["a=1", "text/plain"], ["nonsense", "multipart/form-data; boundary=b"], ["--b\r\n", "multipart/form-data; boundary=b"], ["--b--\r\n", "multipart/form-data"]]) {
      try {
        await new Response(body, { headers: { "content-type": type } }).formData();
        found.push("read");
      } catch (error: any) {
        found.push(error.name);
      }
    }
    return found;
  },
};
