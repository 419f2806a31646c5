import type { History } from '../history.js';

/** Before a replica votes its disk says with which disks the cluster was formed. */
export const aVoterRemembersItsPeers = ({ witnessed }: History): string | undefined =>
  witnessed.get('a-voter-remembers-its-peers');
