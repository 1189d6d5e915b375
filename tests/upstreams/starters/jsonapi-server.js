// JSON:API with page[offset] and page[limit], over the records in memory.
// node jsonapi-server.js PORT ROOT RECORDS
const fs = require('fs');
const [port, root, records] = process.argv.slice(2);
const jsonApi = require(`${root}/npm/jsonapi/node_modules/jsonapi-server`);

jsonApi.setConfig({ protocol: 'http', hostname: '127.0.0.1', port: Number(port), base: 'rest' });
jsonApi.define({
  resource: 'items',
  handlers: new jsonApi.MemoryHandler(),
  primaryKey: 'uuid',
  attributes: {
    sku: jsonApi.Joi.string(),
    name: jsonApi.Joi.string(),
    price: jsonApi.Joi.number(),
    active: jsonApi.Joi.boolean(),
    updated: jsonApi.Joi.string(),
  },
  examples: JSON.parse(fs.readFileSync(records)).map((record) => ({
    id: `00000000-0000-4000-8000-${String(record.id).padStart(12, '0')}`,
    type: 'items',
    sku: record.sku,
    name: record.name,
    price: record.price,
    active: record.active,
    updated: record.updated_at,
  })),
});
jsonApi.start();
