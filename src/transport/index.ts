export { decodeIntroduction, encodeIntroduction, refusal } from './handshake.js';
export { createTcpTransport, type TcpTransportOptions } from './tcp-transport.js';
export { commonProtocol } from './protocols.js';
