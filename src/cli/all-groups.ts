import type { AdminClient, GroupsJson } from '../admin/index.js';
import { allPages } from './ask.js';

export async function allGroups(admin: AdminClient): Promise<GroupsJson> {
  const pages = await allPages((after) =>
    admin.request<GroupsJson>(
      'GET',
      after === null ? '/groups' : `/groups?after=${encodeURIComponent(after)}`,
    ),
  );
  return { ...pages.at(-1)!, groups: pages.flatMap(({ groups }) => groups) };
}
