/** Passes each request on and decides nothing: what Node's own HTTP costs any server that stands in between. */
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

const { hostname, port } = new URL(process.argv[2]!);
const agent = new Agent({ keepAlive: true });
const server = createServer((incoming, outgoing) => {
  const { url: path, method, headers } = incoming;
  const passedOn = request({ agent, hostname, port, path, method, headers }, (reply) => {
    outgoing.writeHead(reply.statusCode!, reply.headers);
    reply.pipe(outgoing);
  });
  incoming.pipe(passedOn);
});
server.listen(0, "127.0.0.1", () => {
  console.log(`Listening at http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
