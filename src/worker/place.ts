/** Where something was called. Its text is made when it is read. */
export interface Place {
  readonly stack?: string;
}

/** Where the function `inner` was called, with the functions that await its caller. */
export function placeOutside(inner: NewableFunction | CallableFunction): Place {
  const place: Place = {};
  Error.captureStackTrace(place, inner);
  return place;
}

/** One line each, the innermost first, without those of Node itself and the first `inner` ones. */
export const framesOf = ({ stack = '' }: Place, inner = 0): string =>
  stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(inner)
    .filter((line) => !line.includes('node:'))
    .join('\n');
