// An address that stays while the program behind it goes and comes back.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Passes connections on to a port of this machine. A program that is started again cannot count on its old port: by then
 * it may be another's. The gate keeps its own, and cuts every connection while nothing is behind it.
 */
export class Gate {
  /** The port behind; 0 while there is none. */
  behind = 0;
  private readonly open = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (from) => this.pass(from));
  }

  static async open(): Promise<Gate> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Gate(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    for (const socket of this.open) socket.destroy();
  }

  private pass(from: Socket): void {
    if (this.behind === 0) {
      from.destroy();
      return;
    }
    const to = connect(this.behind, '127.0.0.1');
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.open.add(one);
      one.setNoDelay();
      one.on('error', () => undefined); // and is closed after it
      one.on('close', () => {
        this.open.delete(one);
        other.destroySoon(); // what it still has to write is written first
      });
      one.pipe(other);
    }
  }
}
