import { ABSENT, View, lengthOf, literal, pointerOf } from "../../../filter/bytes/view";
import { Cover, cover, coveredLength } from "../../../filter/match/trie";
import { isRespelt, name, portAt, readHost } from "../../../filter/request/host";
import { forwardedLength, forwardedPath, path, readPath } from "../../../filter/request/request";

function toString(v: View): string {
  return String.UTF8.decodeUnsafe(pointerOf(v), lengthOf(v));
}

function judgedForm(raw: string): string {
  readPath(literal(raw));
  return path == ABSENT ? "refused" : toString(path);
}

function forwardedForm(raw: string): string {
  readPath(literal(raw));
  return forwardedPath == ABSENT ? "refused" : toString(forwardedPath);
}

/** Bytes that the prefix covers, and how loosely. */
function covered(raw: string, prefix: string): string {
  const found = cover(literal(raw), literal(prefix));
  if (found == Cover.None) return "none";
  return (
    coveredLength.toString() +
    (found == Cover.Exact ? "" : found == Cover.WithoutParameters ? " without parameters" : " loosely")
  );
}

function host(authority: string): string {
  return readHost(literal(authority)) ? toString(name) : "refused";
}

describe("paths", () => {
  it("leaves a plain path as it is", () => {
    expect(judgedForm("/v1/pets")).toBe("/v1/pets");
    expect(judgedForm("/")).toBe("/");
    expect(judgedForm("/v1/")).toBe("/v1/");
  });

  it("resolves dot segments and empty segments in both forms", () => {
    const paths: string[] = [
      "/v1/../admin",
      "//v1//pets",
      "/v1/./pets/.",
      "/../../..",
      "/a/b/..",
      "/a//b/../c",
      "//",
      "/a/..//b/..",
    ];
    const wanted: string[] = ["/admin", "/v1/pets", "/v1/pets/", "/", "/a/", "/a/c", "/", "/"];
    for (let i = 0; i < paths.length; i++) {
      expect(judgedForm(paths[i])).toBe(wanted[i], paths[i]);
      expect(forwardedForm(paths[i])).toBe(wanted[i], paths[i]);
    }
  });

  it("judges what needs no escape decoded, and forwards it as it came", () => {
    expect(judgedForm("/%76%31/p%65ts")).toBe("/v1/pets");
    expect(forwardedForm("/%76%31/p%65ts")).toBe("/%76%31/p%65ts");
    expect(judgedForm("/v1/%2e%2E/admin")).toBe("/admin");
    expect(judgedForm("/v1/caf%c3%a9")).toBe("/v1/caf%C3%A9");
    expect(forwardedForm("/v1/./caf%c3%a9%2B%26")).toBe("/v1/caf%c3%a9%2B%26");
    expect(judgedForm("/v1/a%3bb")).toBe("/v1/a;b");
    expect(forwardedForm("/v1/a%3bb")).toBe("/v1/a%3bb");
    expect(judgedForm("/v1/%252e%252e/x")).toBe("/v1/%252e%252e/x");
  });

  it("finds the same segments in both forms", () => {
    readPath(literal("/x/../%76%31//p%65ts/%2B"));
    expect(toString(path)).toBe("/v1/pets/+");
    expect(toString(forwardedPath)).toBe("/%76%31/p%65ts/%2B");
    expect(forwardedLength(0)).toBe(0);
    expect(forwardedLength(3)).toBe(7);
    expect(forwardedLength(8)).toBe(14);
    expect(forwardedLength(10)).toBe(lengthOf(forwardedPath));
    readPath(literal("/v1/pets"));
    expect(forwardedLength(3)).toBe(3);
  });

  it("refuses what is read in two ways", () => {
    const bad: string[] = [
      "",
      "v1",
      "*",
      "/v1%2fadmin",
      "/v1/%5c",
      "/v1\\admin",
      "/v1/%00",
      "/v1/..;/admin",
      "/v1/.;x",
      "/v1%",
      "/v1%4",
      "/v1%zz",
      "/a#b",
      "/a b",
      "/%0d",
      "/v1//../pets",
      "/v1//%2e%2e/pets",
      "//../v1",
      "/v1//./../pets",
      "/a//b/../..",
      "/v1/..%3b/x",
      "/v1/%2e%2e%3Bx",
      "/%3bx/v1",
      "/;/v1",
      "/%c0%ae%c0%ae/v1",
      "/%c0%af",
      "/%C1%9c",
      "/%e0%80%ae",
      "/%f0%80%80%ae",
      "/%u002f",
    ];
    for (let i = 0; i < bad.length; i++) {
      expect(judgedForm(bad[i])).toBe("refused", bad[i]);
      expect(forwardedForm(bad[i])).toBe("refused", bad[i]);
    }
  });

  it("covers whole segments only, and says when it takes a generous reader", () => {
    expect(covered("/v1/pets", "/v1")).toBe("3");
    expect(covered("/v1", "/v1")).toBe("3");
    expect(covered("/v1/pets", "/v1/")).toBe("3");
    expect(covered("/anything", "/")).toBe("0");
    expect(covered("/v10", "/v1")).toBe("none");
    expect(covered("/v", "/v1")).toBe("none");
    expect(covered("/v1;a=b/pets", "/v1")).toBe("7 without parameters");
    expect(covered("/v1;a=b/pets;c", "/v1/pets")).toBe("14 without parameters");
    expect(covered("/v1;a=b", "/v1/pets")).toBe("none");
    expect(covered("/v1x;a=b", "/v1")).toBe("none");
    expect(covered("/V1/pets", "/v1")).toBe("3 loosely");
    expect(covered("/V1;a/pets", "/v1/pets")).toBe("10 loosely");
    expect(covered("/v1%3Fx", "/v1")).toBe("7 loosely");
    expect(covered("/v1%23", "/v1")).toBe("6 loosely");
    expect(covered("/v1%20", "/v1")).toBe("none");
    expect(covered("/v1%", "/v1")).toBe("none");
  });
});

describe("hosts", () => {
  it("loses port, case and the root's dot", () => {
    expect(host("API.Example.com.:8443")).toBe("api.example.com");
    expect(isRespelt).toBe(true);
    expect(portAt).toBe(16);
    expect(host("api.example.com:")).toBe("api.example.com");
    expect(isRespelt).toBe(false);
    expect(host("a_b-c.1d:65535")).toBe("a_b-c.1d");
    expect(host("10.0.0.255:80")).toBe("10.0.0.255");
    expect(host("")).toBe("");
  });

  it("writes an IPv6 address in its short form", () => {
    const given: string[] = [
      "[::1]:8080",
      "[0:0:0:0:0:0:0:1]",
      "[2001:DB8::0001]",
      "[::]",
      "[1::]",
      "[1:0:0:2:0:0:0:3]",
      "[1:0:2:3:4:5:6:7]",
      "[::ffff:127.0.0.1]",
      "[1:2:3:4:5:6:7::]",
    ];
    const wanted: string[] = [
      "[::1]",
      "[::1]",
      "[2001:db8::1]",
      "[::]",
      "[1::]",
      "[1:0:0:2::3]",
      "[1:0:2:3:4:5:6:7]",
      "[::ffff:7f00:1]",
      "[1:2:3:4:5:6:7:0]",
    ];
    for (let i = 0; i < given.length; i++) {
      expect(host(given[i])).toBe(wanted[i], given[i]);
      expect(isRespelt).toBe(!given[i].toLowerCase().startsWith(wanted[i]), given[i]);
    }
  });

  it("refuses what is no host, or could be several", () => {
    const bad: string[] = [
      "evil,api.example.com",
      "u@api.example.com",
      "api.example.com..",
      "api.example.com:99999",
      "api.example.com:x",
      "api.example.com:80:80",
      "api.example.com:+1",
      ":80",
      ":",
      ".",
      "..",
      ".example.com",
      "a..b",
      "api%2eexample.com",
      "api.example.com/",
      "api.example.com?",
      "api.example.com#",
      "a b",
      "*",
      "*.example.com",
      "[::1",
      "[]",
      "[:]",
      "[:::]",
      "[1]",
      "[::1]x",
      "[::1].",
      "[::1%25eth0]",
      "[v1.x]",
      "[1:2:3:4:5:6:7:8:9]",
      "[1::2::3]",
      "[12345::]",
      "[::1.2.3]",
      "[::1.2.3.4.5]",
      "[::01.2.3.4]",
      "[::1:]",
      "2001:db8::1",
      "127.1",
      "2130706433",
      "0x7f.1",
      "0x7f000001",
      "127.0.0.01",
      "127.0.0.256",
      "1.2.3.4.5",
      "a.1",
      "0x",
    ];
    for (let i = 0; i < bad.length; i++) expect(host(bad[i])).toBe("refused", bad[i]);
  });

  it("takes a name of 253 bytes, and none that is longer", () => {
    expect(host("a.".repeat(126) + "b")).not.toBe("refused");
    expect(host("a.".repeat(126) + "bc")).toBe("refused");
  });
});
