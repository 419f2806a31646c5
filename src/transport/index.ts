export { createTcpTransport, type TcpTransportOptions } from './tcp-transport.js';
