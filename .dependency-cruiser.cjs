/** The import table of docs/architecture.md, enforced. A room may import its own files and the doors listed here. */
const MAY_IMPORT = {
  kernel: [],
  paxos: ['kernel'],
  groups: ['kernel'],
  topics: ['kernel'],
  guard: [],
  registers: ['kernel', 'guard'],
  locking: ['guard'],
  machine: ['kernel', 'groups', 'topics', 'registers'],
  replica: ['kernel', 'paxos', 'machine'],
  storage: ['kernel', 'replica', 'paxos'],
  transport: ['kernel', 'replica', 'paxos'],
  wire: ['kernel'],
  client: ['kernel', 'wire'],
  worker: ['kernel', 'wire', 'client', 'locking'],
  broker: ['kernel', 'wire', 'replica', 'machine'],
  admin: ['kernel', 'replica', 'machine', 'guard', 'locking'],
  offline: ['kernel', 'paxos', 'machine', 'replica', 'storage'],
  cli: ['kernel', 'wire', 'admin', 'offline'],
  // prettier-ignore
  simulator: ['kernel', 'paxos', 'guard', 'machine', 'replica', 'storage', 'transport', 'wire', 'broker', 'client', 'worker'],
};
const PURE = 'kernel|paxos|groups|topics|guard|registers|machine|wire';

const tableRules = Object.entries(MAY_IMPORT).map(([room, doors]) => ({
  name: `${room}-imports`,
  severity: 'error',
  comment: `src/${room} may import: ${doors.join(', ') || 'nothing'}.`,
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [`^src/${room}/`, ...doors.map((door) => `^src/${door}/`)] },
}));

module.exports = {
  forbidden: [
    ...tableRules,
    {
      name: 'through-the-door',
      severity: 'error',
      comment: 'Another room is entered through its index.ts (Nest skins have a door of their own).',
      from: { path: '^src/([^/]+)/' },
      to: {
        path: '^src/([^/]+)/.+',
        pathNot: [
          '^src/$1/',
          '^src/[^/]+/index\\.ts$',
          '^src/[^/]+/nest/index\\.ts$',
          '^src/worker/member\\.ts$',
        ],
      },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'pure-rooms-import-no-node',
      severity: 'error',
      from: { path: `^src/(${PURE})/` },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer'] },
    },
    {
      name: 'works-without-nest',
      severity: 'error',
      from: { path: '^src/(locking|worker)/(?!nest/)' },
      to: { path: ['node_modules/(@nestjs|rxjs|reflect-metadata)/', '^src/(locking|worker)/nest/'] },
    },
    {
      name: 'no-dev-dependency',
      severity: 'error',
      comment: 'Nest is both: a peer for users, a development dependency so that it is here.',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer'] },
    },
    { name: 'no-orphan-import', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
