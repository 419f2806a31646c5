import { WireWriter } from '../wire/index.js';

const WRITER_BYTES = 64 * 1024;
/** One that has grown beyond is not kept. */
export const WRITER_BYTES_KEPT = 1024 * 1024;

/** Encodes the answers of one connection at a time; its memory is handed away only when a socket could not take all. */
export class SharedWriter {
  writer = new WireWriter(WRITER_BYTES);

  renew(): void {
    this.writer = new WireWriter(WRITER_BYTES);
  }
}
