/**
 * Who may ask. A page in a browser reaches 127.0.0.1 in two ways: by a name of its own that it lets point there (DNS
 * rebinding: the Host header names it) and by a plain cross-site request (the Origin header names it).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";

/**
 * Whether a Host header names this server: localhost, an address, or a listed name. Rebinding needs a name of the
 * attacker's, so an address is safe.
 *
 * @example isTrustedHost("127.0.0.1:11435", []) // true
 * @example isTrustedHost("evil.example:11435", []) // false
 */
export function isTrustedHost(host: string | null | undefined, hosts: readonly string[]): boolean {
  const name = hostname(`http://${host ?? ""}`);
  return name !== null && (isLocal(name) || isIP(bare(name)) !== 0 || isListed(name, hosts));
}

/**
 * Whether a page of this origin may ask. No Origin header: no page. Only pages of this server itself, of this machine
 * and of listed names may; an address is not enough, since a page may come from one.
 *
 * @param host what the request was sent to, trusted by {@link isTrustedHost}: else it is the attacker's word
 * @example isTrustedOrigin("http://localhost:3000", [], "127.0.0.1:11435") // true
 * @example isTrustedOrigin("http://192.0.2.7:11435", [], "192.0.2.7:11435") // true
 * @example isTrustedOrigin("null", [], "127.0.0.1:11435") // false
 */
export function isTrustedOrigin(
  origin: string | null | undefined,
  hosts: readonly string[],
  host: string,
): boolean {
  if (origin === null || origin === undefined) return true;
  const name = /^https?:\/\//.test(origin) ? hostname(origin) : null;
  return name !== null && (isLocal(name) || isListed(name, hosts) || isSameOrigin(origin, host));
}

/** Whether an Authorization header carries the token, in a time that tells nothing about it. */
export function hasToken(authorization: string | null | undefined, token: string): boolean {
  const given = /^Bearer +(.+)$/i.exec(authorization ?? "")?.[1] ?? "";
  return timingSafeEqual(digest(given), digest(token));
}

/**
 * Whether only this machine reaches a listener on this address.
 *
 * @example isLoopback("127.0.0.1") // true
 * @example isLoopback("0.0.0.0") // false
 */
export function isLoopback(address: string): boolean {
  return isLocal(address.toLowerCase());
}

function hostname(url: string): string | null {
  try {
    const { hostname: name, username, pathname } = new URL(url);
    return username === "" && pathname === "/" && name !== "" ? name.toLowerCase() : null;
  } catch {
    return null;
  }
}

/** This server speaks plain HTTP; a proxy before it that does not is reached by a listed name. */
function isSameOrigin(origin: string, host: string): boolean {
  return new URL(origin).origin === new URL(`http://${host}`).origin;
}

function isLocal(name: string): boolean {
  const address = bare(name);
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    address === "::1" ||
    (isIP(address) === 4 && address.startsWith("127."))
  );
}

function isListed(name: string, hosts: readonly string[]): boolean {
  return hosts.some((host) => host.toLowerCase() === name);
}

/** An IPv6 address without its brackets. */
function bare(name: string): string {
  return name.replace(/^\[(.*)\]$/, "$1");
}

/** Of equal length for any two texts, as a comparison in constant time needs it. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
