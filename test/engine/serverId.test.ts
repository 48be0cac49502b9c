import { expect, test } from "vitest";
import { serverId } from "../../src/engine/serverId.js";

test("names of this machine's loopback are one server of this machine", () => {
  const ids = [
    "http://localhost:11434",
    "http://127.0.0.1:11434/",
    "http://[::1]:11434",
    "http://0.0.0.0:11434",
  ];
  expect(new Set(ids.map((origin) => serverId(origin, "me")))).toEqual(
    new Set(["http://127.0.0.1:11434@me"]),
  );
  expect(serverId("http://localhost:11434", "you")).not.toBe(serverId("http://localhost:11434", "me"));
});

test("other machines are told by their address, without credentials", () => {
  expect(serverId("https://user:secret@box/ollama/", "me")).toBe("https://box:443/ollama");
  expect(serverId("http://box:11434", "me")).toBe(serverId("http://box:11434", "you"));
});

test("this machine has a stable id", () => {
  expect(serverId("http://localhost:1")).toBe(serverId("http://localhost:1"));
  expect(serverId("http://localhost:1")).toMatch(/@[0-9a-f]{12}$/);
});
