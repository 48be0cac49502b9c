/** One connection of a client that costs as little as can be: Node's own would be most of what is measured. */
import { connect, type Socket } from "node:net";

const END_OF_CHUNKS = "0\r\n\r\n";

export class Connection {
  private text = "";
  /** Of the reply without its head; null: in chunks. */
  private length: number | null = null;
  private bodyAt = -1;
  private done: { resolve(text: string): void; reject(error: Error): void } | null = null;
  private onPart: (text: string) => void = () => {};

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true).setEncoding("latin1");
    socket.on("data", (part: unknown) => this.take(part as string));
    socket.on("close", () =>
      this.done?.reject(new Error(`closed after ${JSON.stringify(this.text.slice(0, 200))}`)),
    );
    socket.on("error", () => {});
  }

  static async open(origin: string): Promise<Connection> {
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Connection(socket);
  }

  /** Resolves with the whole reply, head and chunk sizes included. Rejects when its status is not 200. */
  ask(request: Buffer, onPart: (text: string) => void = () => {}): Promise<string> {
    this.text = "";
    this.bodyAt = -1;
    this.onPart = onPart;
    return new Promise((resolve, reject) => {
      this.done = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.done = null;
    this.socket.destroy();
  }

  private take(part: string): void {
    this.text += part;
    this.onPart(part);
    if (this.bodyAt < 0) {
      const end = this.text.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.bodyAt = end + 4;
      const length = /content-length: (\d+)/i.exec(this.text.slice(0, end))?.[1];
      this.length = length === undefined ? null : Number(length);
    }
    const isWhole =
      this.length === null
        ? this.text.endsWith(END_OF_CHUNKS)
        : this.text.length - this.bodyAt >= this.length;
    if (!isWhole) return;
    const { done, text } = this;
    this.done = null;
    if (text.startsWith("HTTP/1.1 200")) done?.resolve(text);
    else done?.reject(new Error(text.slice(0, 400)));
  }
}

/** A request as bytes. */
export function posted(path: string, body: object, headers: Readonly<Record<string, string>> = {}): Buffer {
  const text = JSON.stringify(body);
  const all = {
    host: "127.0.0.1",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${text}`);
}
