// Preload of a replica under torture. The file $TROUBLE_FILE says what its clock and its disk do now:
// { "clockMs": what Date.now() is ahead by, "syncMs": how long each write to the log takes longer,
// "hangs": no such write ends before this is false again }.
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');

const realNow = Date.now;
const realOpen = fs.openSync;
const realWrite = fs.write;
let trouble = { clockMs: 0, syncMs: 0, hangs: false };
const hung = [];
const logs = new Set();

setInterval(() => {
  try {
    trouble = JSON.parse(fs.readFileSync(process.env.TROUBLE_FILE, 'utf8'));
  } catch {
    // Half written: the next look finds all of it.
  }
  if (trouble.hangs) return;
  for (const write of hung.splice(0)) write();
}, 100).unref();

Date.now = () => realNow() + trouble.clockMs;
fs.openSync = (path, ...rest) => {
  const file = realOpen(path, ...rest);
  // The number of a closed file is given out again.
  if (String(path).endsWith('.wal')) logs.add(file);
  else logs.delete(file);
  return file;
};
fs.write = (file, ...rest) => {
  if (!logs.has(file)) realWrite(file, ...rest);
  else if (trouble.hangs) hung.push(() => realWrite(file, ...rest));
  else if (trouble.syncMs === 0) realWrite(file, ...rest);
  else setTimeout(() => realWrite(file, ...rest), trouble.syncMs);
};
syncBuiltinESMExports();
