"""The queue: how workers hear of jobs, in one process or through RabbitMQ."""
