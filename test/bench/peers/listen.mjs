/** On a free port of the loopback; prints the URL. */
export function listen(server) {
  server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
}
