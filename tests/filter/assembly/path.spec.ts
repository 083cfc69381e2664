import { ABSENT, View, lengthOf, literal, pointerOf } from "../../../filter/bytes/view";
import { coveredLength, normalisePath } from "../../../filter/request/path";
import { normaliseHost } from "../../../filter/request/host";

function toString(v: View): string {
  return String.UTF8.decodeUnsafe(pointerOf(v), lengthOf(v));
}

function normalised(path: string): string {
  const result = normalisePath(literal(path));
  return result == ABSENT ? "refused" : toString(result);
}

function covered(path: string, prefix: string): i32 {
  return coveredLength(literal(path), literal(prefix));
}

describe("paths", () => {
  it("leaves a plain path as it is", () => {
    expect(normalised("/v1/pets")).toBe("/v1/pets");
    expect(normalised("/")).toBe("/");
    expect(normalised("/v1/")).toBe("/v1/");
  });

  it("resolves dot segments and empty segments", () => {
    expect(normalised("/v1/../admin")).toBe("/admin");
    expect(normalised("//v1//pets")).toBe("/v1/pets");
    expect(normalised("/v1/./pets/.")).toBe("/v1/pets/");
    expect(normalised("/../../..")).toBe("/");
    expect(normalised("/a/b/..")).toBe("/a/");
  });

  it("decodes what needs no escape and then resolves", () => {
    expect(normalised("/%76%31/p%65ts")).toBe("/v1/pets");
    expect(normalised("/v1/%2e%2E/admin")).toBe("/admin");
    expect(normalised("/v1/caf%c3%a9")).toBe("/v1/caf%C3%A9");
    expect(normalised("/v1/%252e%252e/x")).toBe("/v1/%252e%252e/x");
  });

  it("refuses what is read in two ways", () => {
    const bad: string[] = ["", "v1", "*", "/v1%2fadmin", "/v1/%5c", "/v1\\admin", "/v1/%00", "/v1/..;/admin", "/v1/.;x", "/v1%", "/v1%4", "/v1%zz", "/a#b", "/a b", "/%0d"];
    for (let i = 0; i < bad.length; i++) expect(normalised(bad[i])).toBe("refused", bad[i]);
  });

  it("covers whole segments only, looking through path parameters", () => {
    expect(covered("/v1/pets", "/v1")).toBe(3);
    expect(covered("/v1", "/v1")).toBe(3);
    expect(covered("/v1/pets", "/v1/")).toBe(3);
    expect(covered("/anything", "/")).toBe(0);
    expect(covered("/v10", "/v1")).toBe(-1);
    expect(covered("/V1", "/v1")).toBe(-1);
    expect(covered("/v1;a=b/pets", "/v1")).toBe(7);
    expect(covered("/v1;a=b/pets;c", "/v1/pets")).toBe(14);
    expect(covered("/v", "/v1")).toBe(-1);
  });
});

describe("hosts", () => {
  it("loses port, case and the root's dot", () => {
    expect(toString(normaliseHost(literal("API.Example.com.:8443")))).toBe("api.example.com");
    expect(toString(normaliseHost(literal("[::1]:8080")))).toBe("[::1]");
    expect(toString(normaliseHost(literal("[::1")))).toBe("[::1");
    expect(toString(normaliseHost(literal("")))).toBe("");
  });
});
