export { createTcpTransport, type TcpTransportOptions, type TransportLog } from './tcp-transport.js';
