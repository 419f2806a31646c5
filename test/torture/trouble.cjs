// Preload of a replica under torture. The file $TROUBLE_FILE says what its clock and its disk do now:
// { "clockMs": what Date.now() is ahead by, "syncMs": how long each sync of a file takes longer,
// "hangs": no sync ends before this is false again }.
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');

const realNow = Date.now;
const realSync = fs.fdatasync;
let trouble = { clockMs: 0, syncMs: 0, hangs: false };
const hung = [];

setInterval(() => {
  try {
    trouble = JSON.parse(fs.readFileSync(process.env.TROUBLE_FILE, 'utf8'));
  } catch {
    // Half written: the next look finds all of it.
  }
  if (trouble.hangs) return;
  for (const sync of hung.splice(0)) sync();
}, 100).unref();

Date.now = () => realNow() + trouble.clockMs;
fs.fdatasync = (file, done) => {
  if (trouble.hangs) hung.push(() => realSync(file, done));
  else if (trouble.syncMs === 0) realSync(file, done);
  else setTimeout(() => realSync(file, done), trouble.syncMs);
};
syncBuiltinESMExports();
