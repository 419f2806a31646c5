import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { configOf } from './config.js';

const config = configOf(process.env);
const app = await NestFactory.create(AppModule.with(config));
// SIGTERM: HTTP takes no more requests, the jobs in hand are finished, the group is left, the pools close.
app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
await app.listen(config.port, '127.0.0.1');
console.log(`listening at ${await app.getUrl()}`);
