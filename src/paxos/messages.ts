export type Message = never;
