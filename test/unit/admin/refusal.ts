import { HttpException } from '@nestjs/common';

/** The problem that a request was refused with. */
export function refusalOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    if (error instanceof HttpException) return error.getResponse();
    throw error;
  }
  throw new Error('it was not refused');
}
