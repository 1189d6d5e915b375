"""The queue between processes: how workers hear of jobs through RabbitMQ."""
