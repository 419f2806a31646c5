// Writes records into a write-ahead log and prints the number of each one that was acknowledged, until it is killed:
// node test/system/wal-writer.js DIRECTORY FIRST
import { openFileStorage } from '../../dist/storage/index.js';

const [directory, first] = process.argv.slice(2);
const { storage, records } = await openFileStorage({
  directory,
  segmentBytes: 65_536,
  zeroAheadBytes: 8_192,
});
for (const record of records) void record;
storage.onFailure((error) => {
  console.error(error.message);
  process.exit(1);
});

let next = Number(first);
const append = () => {
  // Bursts of different sizes, so that groups have one record and many.
  const burst = 1 + (next % 7);
  for (let i = 0; i < burst; i++) {
    const number = next++;
    const payload = Buffer.alloc(8 + (number % 300), number % 256);
    payload.writeDoubleLE(number);
    storage.append([{ shard: number % 8, type: 1, payload }], true, () => {
      process.stdout.write(`${number}\n`);
      if (i === burst - 1) append();
    });
  }
};
append();
append();
