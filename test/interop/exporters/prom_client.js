// A program that is instrumented with npm's prom-client.
const http = require('http');
const client = require('prom-client');

client.collectDefaultMetrics();
const requests = new client.Counter({
  name: 'js_requests_total', help: 'Requests\nand "more"', labelNames: ['code'],
});
const latency = new client.Histogram({
  name: 'js_latency_seconds', help: 'Latency', labelNames: ['path'],
  buckets: [0.01, 0.1, 1, 2.5],
});
const size = new client.Summary({name: 'js_size_bytes', help: 'Size'});
const depth = new client.Gauge({
  name: 'js_depth', help: 'Depth', labelNames: ['queue'],
});
let n = 0;
setInterval(() => {
  ++n;
  requests.inc({code: 200}, 1.5);
  latency.observe({path: '/a\\b"c"\n'}, n % 7 * 0.2);
  size.observe(n * 3);
  depth.set({queue: 'm\u00fcll'}, -n);
}, 100);
http.createServer(async (request, response) => {
  response.setHeader('Content-Type', client.register.contentType);
  response.end(await client.register.metrics());
}).listen(Number(process.argv[2]), '127.0.0.1');
