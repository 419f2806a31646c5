import type { DecodedRequest, FastPath, ResponseInput } from '../api.js';
import type { heartbeat } from '../apis/12-heartbeat.js';

type Request = DecodedRequest<typeof heartbeat>;
type Reply = ResponseInput<typeof heartbeat>;

/** v3 (kafkajs, librdkafka) and v4 (Java). */
export const heartbeatFast: FastPath<Request, Reply> = {
  versions: [3, 4],
  readRequest: (reader, version) => {
    const compact = version >= 4;
    const request = {
      groupId: reader.string(compact),
      generationId: reader.int32(),
      memberId: reader.string(compact),
      groupInstanceId: reader.nullableString(compact),
    };
    if (compact) reader.skipTaggedFields();
    return request;
  },
  writeResponse: (writer, version, { throttleTimeMs = 0, errorCode, drain = false }) => {
    if (drain) return false;
    writer.int32(throttleTimeMs);
    writer.int16(errorCode);
    if (version >= 4) writer.uvarint(0);
    return true;
  },
};
