"""The queue between processes: announcements of jobs through RabbitMQ."""
