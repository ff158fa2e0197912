"""How networks of concentration learn: samples, losses, and how an answer is judged."""
