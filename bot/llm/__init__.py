"""The model's place. It may propose, through `ports.Advisor`; it never acts. Without one, the rules stand alone."""
